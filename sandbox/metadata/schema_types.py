"""Types of the CSDL document that describe metadata, not rows.

Four entity sets have metadata. Enumerations are referenced by these types only.
"""

from __future__ import annotations

CONTAINER_SETS = (
    ("EntityDefinitions", "EntityMetadata"),
    ("GlobalOptionSetDefinitions", "OptionSetMetadataBase"),
    ("ManagedPropertyDefinitions", "ManagedPropertyMetadata"),
    ("RelationshipDefinitions", "RelationshipMetadataBase"),
)

METADATA_TYPES = """<EnumType Name="OwnershipTypes" IsFlags="true">
  <Member Name="None" Value="0" /><Member Name="UserOwned" Value="1" />
  <Member Name="TeamOwned" Value="2" /><Member Name="BusinessOwned" Value="4" />
  <Member Name="OrganizationOwned" Value="8" />
</EnumType>
<EnumType Name="AttributeTypeCode">
  <Member Name="Boolean" Value="0" /><Member Name="Customer" Value="1" />
  <Member Name="DateTime" Value="2" /><Member Name="Decimal" Value="3" />
  <Member Name="Double" Value="4" /><Member Name="Integer" Value="5" />
  <Member Name="Lookup" Value="6" /><Member Name="Memo" Value="7" />
  <Member Name="Money" Value="8" /><Member Name="Owner" Value="9" />
  <Member Name="Picklist" Value="11" /><Member Name="State" Value="12" />
  <Member Name="Status" Value="13" /><Member Name="String" Value="14" />
  <Member Name="Uniqueidentifier" Value="15" /><Member Name="Virtual" Value="17" />
  <Member Name="BigInt" Value="18" /><Member Name="ManagedProperty" Value="19" />
  <Member Name="EntityName" Value="20" />
</EnumType>
<EnumType Name="OptionSetType">
  <Member Name="Picklist" Value="0" /><Member Name="State" Value="1" />
  <Member Name="Status" Value="2" /><Member Name="Boolean" Value="3" />
</EnumType>
<EnumType Name="RelationshipType">
  <Member Name="OneToManyRelationship" Value="0" />
  <Member Name="ManyToManyRelationship" Value="1" />
</EnumType>
<ComplexType Name="LocalizedLabel">
  <Property Name="Label" Type="Edm.String" Unicode="false" />
  <Property Name="LanguageCode" Type="Edm.Int32" Nullable="false" />
  <Property Name="IsManaged" Type="Edm.Boolean" />
  <Property Name="MetadataId" Type="Edm.Guid" Nullable="false" />
</ComplexType>
<ComplexType Name="Label">
  <Property Name="LocalizedLabels" Type="Collection(mscrm.LocalizedLabel)" />
  <Property Name="UserLocalizedLabel" Type="mscrm.LocalizedLabel" />
</ComplexType>
<ComplexType Name="BooleanManagedProperty">
  <Property Name="Value" Type="Edm.Boolean" Nullable="false" />
  <Property Name="CanBeChanged" Type="Edm.Boolean" Nullable="false" />
  <Property Name="ManagedPropertyLogicalName" Type="Edm.String" Unicode="false" />
</ComplexType>
<ComplexType Name="AttributeTypeDisplayName">
  <Property Name="Value" Type="Edm.String" Unicode="false" />
</ComplexType>
<EntityType Name="MetadataBase" BaseType="mscrm.crmbaseentity" Abstract="true">
  <Key><PropertyRef Name="MetadataId" /></Key>
  <Property Name="MetadataId" Type="Edm.Guid" />
  <Property Name="HasChanged" Type="Edm.Boolean" />
</EntityType>
<EntityType Name="EntityMetadata" BaseType="mscrm.MetadataBase">
  <Property Name="LogicalName" Type="Edm.String" Unicode="false" />
  <Property Name="SchemaName" Type="Edm.String" Unicode="false" />
  <Property Name="EntitySetName" Type="Edm.String" Unicode="false" />
  <Property Name="DisplayName" Type="mscrm.Label" />
  <Property Name="Description" Type="mscrm.Label" />
  <Property Name="ObjectTypeCode" Type="Edm.Int32" />
  <Property Name="OwnershipType" Type="mscrm.OwnershipTypes" />
  <Property Name="PrimaryIdAttribute" Type="Edm.String" Unicode="false" />
  <Property Name="PrimaryNameAttribute" Type="Edm.String" Unicode="false" />
  <Property Name="IsIntersect" Type="Edm.Boolean" />
  <Property Name="ChangeTrackingEnabled" Type="Edm.Boolean" />
  <Property Name="CanChangeTrackingBeEnabled" Type="mscrm.BooleanManagedProperty" />
  <NavigationProperty Name="Attributes" Type="Collection(mscrm.AttributeMetadata)" />
</EntityType>
<EntityType Name="AttributeMetadata" BaseType="mscrm.MetadataBase">
  <Property Name="LogicalName" Type="Edm.String" Unicode="false" />
  <Property Name="AttributeType" Type="mscrm.AttributeTypeCode" />
  <Property Name="AttributeTypeName" Type="mscrm.AttributeTypeDisplayName" />
  <Property Name="DisplayName" Type="mscrm.Label" />
</EntityType>
<EntityType Name="OptionSetMetadataBase" BaseType="mscrm.MetadataBase" Abstract="true">
  <Property Name="Name" Type="Edm.String" Unicode="false" />
  <Property Name="IsGlobal" Type="Edm.Boolean" />
  <Property Name="OptionSetType" Type="mscrm.OptionSetType" />
</EntityType>
<EntityType Name="ManagedPropertyMetadata" BaseType="mscrm.MetadataBase">
  <Property Name="LogicalName" Type="Edm.String" Unicode="false" />
  <Property Name="DisplayName" Type="mscrm.Label" />
</EntityType>
<EntityType Name="RelationshipMetadataBase" BaseType="mscrm.MetadataBase" Abstract="true">
  <Property Name="SchemaName" Type="Edm.String" Unicode="false" />
  <Property Name="RelationshipType" Type="mscrm.RelationshipType" />
</EntityType>"""
